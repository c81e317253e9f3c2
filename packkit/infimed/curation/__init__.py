"""The quality of data sets, judged sample by sample by a language model and by people."""
