"""A space of trials explored under a budget. What is known of a search is worked out anew from its runs each time."""
