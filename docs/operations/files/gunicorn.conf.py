"""gunicorn in production."""

import multiprocessing

bind = "127.0.0.1:8080"
worker_class = "greenrelay.gunicorn.Worker"
workers = multiprocessing.cpu_count()
# Draining takes 70 % of it at most: keep it well above wsrelay.drain.period.
graceful_timeout = 30
# A worker that does not answer for so long is killed: a blocked hub is no worker.
timeout = 30
# Only TLS of gunicorn itself holds one for each socket.
worker_connections = 10000
accesslog = "-"
raw_env = ["GREENRELAY_ADMIN=1"]
