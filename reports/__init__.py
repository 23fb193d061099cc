"""Pure functions of results: the gate, the archive and every report format."""
