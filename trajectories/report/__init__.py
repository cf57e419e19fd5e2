"""Reports, which show a run as an HTML page: the data, and the page that displays it."""
