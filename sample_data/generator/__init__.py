"""What the sample files are made of: the portal, three exports, and rows that know their fate."""
