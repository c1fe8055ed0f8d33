"""Servers that tests talk to over loopback: real ones, each started and ended by the test session."""
