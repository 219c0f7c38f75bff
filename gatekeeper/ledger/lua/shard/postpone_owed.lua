-- Put a task off that could not be done yet. Its count of tries begins anew.
-- KEYS[1] owed   KEYS[2] tries
-- ARGV[1] task   ARGV[2] the mark under which it is owed   ARGV[3] when it is next due, ms
-- Replies 1, or 0 when it was not owed, or is owed under another mark.

local mark = string.match(redis.call('HGET', KEYS[2], ARGV[1]) or '', '%d+$')
if mark ~= ARGV[2] or not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], '0 ' .. ARGV[3])
return 1
