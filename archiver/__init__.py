"""Records the consoles of Pterodactyl-family game servers and finds any line again."""

__version__ = "0.1.0"
