"""Types compiled into closures, which turn values into what `json` writes and back, and refuse the rest."""
