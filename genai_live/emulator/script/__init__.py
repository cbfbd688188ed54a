"""Sessions that are written down: played as they were planned, or recorded; a file imports only from files above it.

====================================  ==============================================================
step_forms, scenario, scenario_file   scenarios as data, checked, and from JSON
scenario_runs                         which session plays which scenario, and what became of it
redaction                             credentials taken out of words that pass by
recording, replay                     sessions written down, and read back as scenarios
scenario_player, scenario_actions     one scenario on one session, and what each step does
====================================  ==============================================================
"""
