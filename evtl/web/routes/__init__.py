"""What is answered at which address: each route parses, calls one service, renders."""
