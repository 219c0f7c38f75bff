-- Strike off a task that is done.
-- KEYS[1] owed   KEYS[2] tries
-- ARGV[1] task   ARGV[2] the mark under which it is owed, or '' for any
-- Replies 1, or 0 when it was not owed, or is owed under another mark.

if ARGV[2] ~= '' then
  local mark = string.match(redis.call('HGET', KEYS[2], ARGV[1]) or '', '%d+$')
  if mark ~= ARGV[2] then return 0 end
end
redis.call('HDEL', KEYS[2], ARGV[1])
return redis.call('ZREM', KEYS[1], ARGV[1])
