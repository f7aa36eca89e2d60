"""How a network is trained: blocks, steps, epochs, ladders."""
