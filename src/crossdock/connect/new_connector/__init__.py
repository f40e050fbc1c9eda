"""todo: One sentence: which system this connects, and what goes in and out."""
