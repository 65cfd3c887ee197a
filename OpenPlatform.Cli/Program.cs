using System.CommandLine;
using OpenPlatform.Cli;
using OpenPlatform.Cli.Commands;
using OpenPlatform.Cli.Connection;

var root = new RootCommand("Works with an OpenPlatform catalog and its gateways: what is published, who may call it, and why a call ended as it did.")
{
    LoginCommand.Login(),                       // remember a catalog and a token
    LoginCommand.Logout(),
    GetCommand.Create(),                        // what is there
    ChangeCommands.Diff(),                      // what files would change
    ChangeCommands.Apply(),                     // change it, all or nothing
    LifecycleCommands.Publish(),                // a draft revision goes into force
    LifecycleCommands.Rollback(),               // an earlier one does
    LifecycleCommands.Deprecate(),              // a version will end
    LifecycleCommands.Retire(),                 // a version ends
    PartnerCommands.Issue(),                    // a partner's program gets a credential
    PartnerCommands.Subscribe(),                // and asks for a version
    PartnerCommands.Approve(),                  // and may call it
    PartnerCommands.Reject(),
    UsageCommand.Create(),                      // what was called
    ExportCommand.Create(),                     // everything, as files that apply takes
    ExplainCommand.Create(),                    // what a gateway decides about a request
    SignCommand.Create(),                       // the headers of a signed request
    DrainCommand.Create(),                      // a gateway replica leaves
};
root.Options.Add(ConnectionOptions.Server);
root.Options.Add(Output.Format);

var parsed = root.Parse(args);
if (parsed.Errors.Count > 0)
{
    parsed.Invoke(); // says what is wrong, and how the command is used
    return (int)ExitCode.Usage;
}

try
{
    return await parsed.InvokeAsync(new() { EnableDefaultExceptionHandler = false });
}
catch (CommandFailure failure)
{
    Output.Failed(failure.Message);
    foreach (var field in RefusedCall.FieldsOf(failure))
    {
        Output.Problem(field.Pointer, field.Detail);
    }

    return (int)failure.Code;
}
catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
{
    // A folder that cannot be written, a pipe that nobody reads any more.
    Output.Failed(failure.Message);
    return (int)ExitCode.Usage;
}
catch (OperationCanceledException)
{
    Output.Failed("Cancelled.");
    return 130; // 128 + SIGINT, as shells say it
}
