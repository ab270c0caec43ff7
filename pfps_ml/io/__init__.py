"""Files in and out: readers and writers of rosters, logs and study data, maps, pseudonyms."""
