#!/bin/bash
# genmem on the nodes of a Slurm allocation: sbatch docs/ray-slurm.sh
# Change the command at the end. All nodes see /data under that name.
#SBATCH --job-name=genmem
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --time=24:00:00

set -euo pipefail
source "$HOME/genmem/bin/activate" # with genmem[scale], the same on all nodes
export GENMEM_CACHE=/data/cache RAY_USAGE_STATS_ENABLED=0

nodes=($(scontrol show hostnames "$SLURM_JOB_NODELIST"))
head=${nodes[0]}
address=$(srun --nodes=1 --ntasks=1 -w "$head" hostname --ip-address | awk '{print $1}'):6379

srun --nodes=1 --ntasks=1 -w "$head" ray start --head --port=6379 --block &
sleep 20
for node in "${nodes[@]:1}"; do
  srun --nodes=1 --ntasks=1 -w "$node" ray start --address="$address" --block &
done
sleep 20

# A job that ran out of time continues at the shards that are done: submit it again.
genmem score /data/generated.npy --train /data/train.npy --test /data/test.npy \
  --ray "$address" --json /data/score.json
