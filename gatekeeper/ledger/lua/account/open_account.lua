-- Open an account. Opening it again changes nothing.
-- KEYS[9] the shard's accounts
-- ARGV[5] name   ARGV[6] email   ARGV[7] timezone   ARGV[8] allotment   ARGV[9] anchor or ''
-- ARGV[10] threshold   ARGV[11] top-off amount
-- Replies {'opened' | 'exists'}
-- Writes the account and its profile, its id among the shard's accounts, and one entry.

if redis.call('EXISTS', ACCOUNT) == 1 then return { 'exists' } end
redis.call('HSET', ACCOUNT, 'purchased', 0, 'allotment', ARGV[8], 'topoff_on', 0,
  'threshold', ARGV[10], 'topoff_amount', ARGV[11], 'cycle_no', 1,
  'allotment_size', ARGV[8], 'cycle_start_ms', NOW, 'created_at_ms', NOW)
redis.call('HSET', PROFILE, 'name', ARGV[5], 'email', ARGV[6], 'timezone', ARGV[7],
  'anchor', ARGV[9])
redis.call('SADD', KEYS[9], ID)
local account = read_account()
append(account, 'account_opened', account.allotment, 0, ID, 'opened')
return { 'opened' }
