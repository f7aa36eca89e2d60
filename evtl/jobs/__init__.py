"""Trainings that wait, run and end without anybody at a terminal.

A job is a folder; nothing is known of it but what lies there, so that it does not matter which
process asks, and a server that is started again finds all as it was.

=====================  ==========================================================================
below the runs         content
=====================  ==========================================================================
``.jobs/RUN/``         `Job`, of the run folder ``RUN`` beside it:
``job.json``           what was asked for
``plan.json``          the plan that is carried out, where it was edited
``started.json``       how often a worker was started for it
``progress.json``      the stage that it is in
``cancel``             is there once somebody wants it to end
``ended.json``         how it ended; of a worker that was killed there is none
``worker.log``         what the worker said
``.lock``              held while its worker lives
``.jobs/.device``      held by the worker that trains: one at a time
``.jobs/.dispatcher``  held by the one server that starts workers
=====================  ==========================================================================
"""
