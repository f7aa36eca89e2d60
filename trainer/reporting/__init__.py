"""Reports and cards, and the pictures in them."""
