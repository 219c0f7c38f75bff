-- Claim what is due under a lease: until it ends nobody else is given the task.
-- KEYS[1] owed   KEYS[2] tries
-- ARGV[1] now, ms   ARGV[2] lease, ms   ARGV[3] at most so many
-- Replies a flat list: task, how often it was enqueued, when it was due, ms, ... oldest first.
-- Writes the end of the lease as the time when each is next due.

local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'WITHSCORES', 'LIMIT', 0, ARGV[3])
local claimed = {}
for i = 1, #due, 2 do
  local task = due[i]
  redis.call('ZADD', KEYS[1], tonumber(ARGV[1]) + tonumber(ARGV[2]), task)
  claimed[#claimed + 1] = task
  local kept = redis.call('HGET', KEYS[2], task) or '0 0'
  claimed[#claimed + 1] = tonumber(string.match(kept, '^%d+'))
  claimed[#claimed + 1] = tonumber(due[i + 1])
end
return claimed
