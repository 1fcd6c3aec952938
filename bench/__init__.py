"""The measurements of greenrelay, runnable by anyone; see ``bench/processes.py``."""
