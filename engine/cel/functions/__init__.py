"""The functions of expressions, by the kind of value they are for. `engine.cel.library` has the table of them.

Every function is `f(fuel, *operands)`, a method with its target first; it takes whatever it is handed, raises nothing
but EvaluationError, changes no value, and charges for work and memory that grow with its operands before using them.
"""
