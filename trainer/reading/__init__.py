"""Files of every kind -> pixels, labels and groups."""
