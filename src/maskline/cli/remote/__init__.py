"""Commands carried out by a service elsewhere, through its native API.

For each function with which a command works on the database of this machine there is one here that takes a client in
place of the transaction and gives back the same values; what only a database knows (the ids of its rows) is 0.
"""
