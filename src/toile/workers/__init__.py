"""Where models learn and are asked: processes of their own, and how they are started.

Keras fixes its backend when it is imported, takes gigabytes that only the end of a process gives back, and reads its number of
threads once. So no process that plans, compares or reports ever imports it; these do:

    train     one training, from a trial's JSON to a run in the store
    infer     stored models, asked about new images
    export    stored models, written as one file

`process` has what all share: the environment that they start in, and that they end when the one who started them is gone.

A training process is started in one of three ways. All give the same bits.

    starter       a fresh process each (`Fresh`): five seconds of a core before the first step, four of them for TensorFlow's
                  import. It works everywhere: on every system, with any number of threads, on a worker of a cluster.
    forkserver    for *studies* on Linux with one thread a trial: a server loads the libraries once and forks a process for
                  each trial. A second of a core instead of five, and the memory of the libraries is shared. Each trial still
                  has a process of its own, so its memory comes back, and a crash takes one trial only.
    resident      for *estimators*, which fit hundreds of models that train for less than a fork takes (0.7 s): one process
                  keeps Keras and the models open from fit to fit. A crash takes the fit that it is at, so it is not for
                  trainings of hours; what TensorFlow never gives back is bounded by replacing it.

Why both are kept: a fork must not share a process that computes (threads do not survive a fork), and a resident process must
compute. One server cannot do both. Each has a `client`, for who asks, and a `server`, the process.
"""
