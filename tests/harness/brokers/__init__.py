"""__init__.py - the real brokers that publishers are tested against, a file each
SPDX-License-Identifier: MIT
"""
