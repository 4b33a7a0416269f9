"""What is worked out about the future each night: when invoices will be paid, what quotes will bring, what customers
are worth. `refresh` is what the job and the command call; `backtests` asks the same of days gone by."""

from crm.services.forecasting.refreshing import KINDS as KINDS
from crm.services.forecasting.refreshing import refresh as refresh
from crm.services.forecasting.refreshing import refresh_due as refresh_due
