"""Speed, memory and remote calls, measured beside the usual way. See README.md; `python -m bench --help`.

Each measured part runs in a process of its own (`child`), so that its memory is its own, on a stage (`stage`) made
afresh: a generated company served on loopback, the firm's contact list, an empty migrated database. It may import every
layer of the CRM and the sandbox; nothing imports it but its test.
"""
