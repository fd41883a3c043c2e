"""Why a network drew what it drew: the question, the engine, the formulas, the numbers beside a map."""
