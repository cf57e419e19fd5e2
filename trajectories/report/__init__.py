"""Reports: a run as an HTML page, with the data to show and the page that shows it."""
