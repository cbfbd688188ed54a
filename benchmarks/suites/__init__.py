"""The suites, one module each: ``run(bench)`` measures, ``table(records)`` says it in Markdown."""
