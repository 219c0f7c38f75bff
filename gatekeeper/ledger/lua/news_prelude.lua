-- What the verbs that write news down share; it stands before them.

-- Owe a task from now on, under a mark that nothing of this shard has had or will have: a job that
-- looked before the news cannot strike them off, though another run of it struck off what was owed
-- before them, and all of that within one millisecond. Returns the mark.
local function note_news(owed, tries, task, now_ms, wake)
  local mark = redis.call('HINCRBY', tries, 'marks', 1)
  redis.call('ZADD', owed, now_ms, task)
  redis.call('HSET', tries, task, '0 ' .. now_ms .. ' ' .. mark)
  redis.call('PUBLISH', wake, now_ms)
  return mark
end

