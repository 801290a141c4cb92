use strict;
use warnings;
use HTTP::Request;
use LWP::UserAgent;

my ($url, $file, $expects) = @ARGV;
open my $body, '<:raw', $file or die;
my $request = HTTP::Request->new(POST => $url);
$request->header(Expect => '100-continue') if $expects;
$request->content(do { local $/; <$body> });
my $response = LWP::UserAgent->new->request($request);
# What LWP made up itself.
die $response->status_line, "\n" if $response->header('Client-Warning') or $response->header('Client-Aborted');
print $response->code, "\n", $response->content;
