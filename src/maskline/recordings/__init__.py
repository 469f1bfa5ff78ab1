"""Recordings: from captured packets to a stored file of audio.

`capture` reads packets, `timeline` says when each was meant to be heard, `decode` makes samples of them, `mix`
joins both sides and `audio_file` writes; `convert` is all of that and runs in a process of its own
(`convert_process`, started by `converter`). `storage` keeps the files, `worker` sees that every captured
recording gets there.
"""
