"""an index of payments that are not wholly applied

Revision ID: 0007
Revises: 0006
"""
import sqlalchemy as sa
from alembic import op


# revision identifiers, used by Alembic.
revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade():
    few = sa.text('unapplied > 0')
    op.create_index('ix_payments_unapplied', 'payments', ['currency', 'unapplied'], unique=False, sqlite_where=few, postgresql_where=few)


def downgrade():
    op.drop_index('ix_payments_unapplied', 'payments')
