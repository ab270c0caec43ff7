"""What a person types: `pfps`."""
