"""The revisions, oldest first by their number. One that was released is never edited."""
