using System.CommandLine;

namespace OpenPlatform.Cli.Commands;

internal static class DrainCommand
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);

    public static Command Create()
    {
        var gateway = GatewayPort.Address();
        var timeout = new Option<int>("--timeout") { Description = "Longest wait, seconds, 1 to 3600.", DefaultValueFactory = static _ => 120 };
        timeout.Validators.Add(static result =>
        {
            if (result.GetValueOrDefault<int>() is < 1 or > 3600)
            {
                result.AddError("--timeout must be 1 to 3600 seconds.");
            }
        });
        var command = new Command("drain", "Makes a gateway replica leave: not ready any more, requests in flight are finished, usage is sent, the process ends with 0. Waits until it has.") { gateway, timeout };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var port = GatewayPort.Open(parsed.GetValue(gateway)!);
            if (await port.SendAsync(HttpMethod.Post, "drain", [("X-OpenPlatform-Operator", "drain")], cancellationToken) is null)
            {
                throw new CommandFailure(ExitCode.NotFound, "That gateway cannot be drained over its private port: it is older than this tool.");
            }

            Output.Say("Draining.");
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(TimeSpan.FromSeconds(parsed.GetValue(timeout)));
            try
            {
                while (await IsThereAsync(port, limit.Token))
                {
                    await Task.Delay(Interval, limit.Token);
                }
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                throw new CommandFailure(ExitCode.Unavailable, $"It drains, but has not ended within {parsed.GetValue(timeout)} s.");
            }

            Output.Say("Gone.");
            return (int)ExitCode.Done;
        });
        return command;
    }

    /// <summary>The private port is the last thing that a gateway closes.</summary>
    private static async Task<bool> IsThereAsync(GatewayPort port, CancellationToken cancellationToken)
    {
        try
        {
            await port.SendAsync(HttpMethod.Get, "drain", [], cancellationToken);
            return true;
        }
        catch (CommandFailure failure) when (failure.Code == ExitCode.Unavailable)
        {
            return false;
        }
    }
}
