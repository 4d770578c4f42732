"""Processes, files, and engines that are killed or slow."""
