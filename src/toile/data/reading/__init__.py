"""From files to arrays, checked and within bounds; what single formats ask of each other's readers."""
