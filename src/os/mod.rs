//! The only place with sockets, files, signals, threads and clocks.
