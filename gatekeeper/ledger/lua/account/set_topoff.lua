-- Set automatic top-offs. Switching them off resolves the incident (R8); switching them on, or a
-- new threshold, looks at the balance at once (R6).
-- ARGV[5] '1' or '0'   ARGV[6] threshold   ARGV[7] amount   ARGV[8] overdraft limit or ''
-- ARGV[9..12] if given: the same as they were when they were read
-- Replies {'unknown_account'}, {'changed'}: they are not what was read, or
--   {'set', id of the top-off in flight or ''}

local account = read_account()
if not account then return { 'unknown_account' } end
if account.cycle_over then return cycle_over() end
if ARGV[9] then
  local there = redis.call('HMGET', ACCOUNT, 'topoff_on', 'threshold', 'topoff_amount',
    'overdraft_limit')
  for i = 1, 4 do
    if (there[i] or '') ~= ARGV[8 + i] then return { 'changed' } end
  end
end
redis.call('HSET', ACCOUNT, 'topoff_on', ARGV[5], 'threshold', ARGV[6], 'topoff_amount', ARGV[7])
if ARGV[8] == '' then
  redis.call('HDEL', ACCOUNT, 'overdraft_limit')
else
  redis.call('HSET', ACCOUNT, 'overdraft_limit', ARGV[8])
end
account = read_account()
if not account.topoff_on then switch_topoff_off(account) end
forget_warnings(account)
look(account)
return { 'set', account.topoff }
