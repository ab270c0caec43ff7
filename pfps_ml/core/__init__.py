"""The floor of the house: what every room may use, and what imports none of them."""
