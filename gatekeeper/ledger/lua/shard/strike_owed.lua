-- Strike off a task that is done.
-- KEYS[1] owed   KEYS[2] tries
-- ARGV[1] task   ARGV[2] since when it has been owed, ms, or '' for whenever
-- Replies 1, or 0 when it was not owed, or is owed since another time.

if ARGV[2] ~= '' then
  local since_ms = string.match(redis.call('HGET', KEYS[2], ARGV[1]) or '', '%d+$')
  if since_ms ~= ARGV[2] then return 0 end
end
redis.call('HDEL', KEYS[2], ARGV[1])
return redis.call('ZREM', KEYS[1], ARGV[1])
