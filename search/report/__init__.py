"""The report of a study or an ablation: one HTML file, read from what lies in an output folder.

`study_data`, `effects` and `ablation_data` read and compute, `figures` draws, `page` writes.
Nothing is trained, and neither Ray nor MLflow is asked.
"""
