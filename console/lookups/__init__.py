"""The lists and look-ups of the console: apps, definitions, refusals, dead letters; a player, a request, a receipt."""
