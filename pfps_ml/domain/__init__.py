"""What the product is about: outcomes and their horizons, links, and the columns of a roster."""
