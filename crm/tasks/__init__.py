"""Celery bodies: a few lines each, arguments are ids. The names are what `bell.ring()` is called with."""

from crm.tasks import connections as connections  # Celery imports this package to know its tasks
from crm.tasks import contact_imports as contact_imports
from crm.tasks import duplicates as duplicates
from crm.tasks import inbox as inbox
from crm.tasks import insight as insight
from crm.tasks import jobs as jobs
from crm.tasks import outbox as outbox
from crm.tasks import plans as plans
from crm.tasks import proofs as proofs
from crm.tasks import sales as sales
from crm.tasks import segments as segments
from crm.tasks import sync as sync
