"""A folder of audits as a small static site: pure functions to pages, served by `audit view`."""
