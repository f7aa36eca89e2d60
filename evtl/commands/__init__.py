"""Commands of the command line, one module per matter: parse, call one service, render."""
