using System.Diagnostics;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.Configuration.UserSecrets;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Hosting;

namespace OpenPlatform.Tests.Hosting.ApplicationModel;

public sealed class ParameterTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("--Parameters:api-key=abc")]
    [InlineData("--Parameters:api_key=abc")] // what a shell makes of it
    public async Task The_value_comes_from_configuration(string arg) =>
        Assert.Equal("abc", await Apps.Running(arg).AddParameter("api-key").Resource.GetValueAsync(Stop));

    [Fact]
    public async Task Without_a_value_the_error_names_the_key_to_set()
    {
        var parameter = Apps.Running().AddParameter("api-key");
        var error = await Assert.ThrowsAsync<MissingParameterValueException>(() => parameter.Resource.GetValueAsync(Stop).AsTask());
        Assert.Contains("'Parameters:api-key'", error.Message, StringComparison.Ordinal);
        Assert.Contains("Parameters__api_key", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_started_application_shows_values_masks_secrets_and_waits_for_what_is_missing()
    {
        var builder = Apps.Running();
        var plain = builder.AddParameter("plain", "1");
        var secret = builder.AddParameter("secret", "s3cret", secret: true);
        var missing = builder.AddParameter("missing");
        await using var app = builder.Build();
        await ShowAsync(app);

        Assert.Equal((KnownResourceStates.Running, "1", false), Shown(app, "plain"));
        Assert.Equal((KnownResourceStates.Running, "s3cret", true), Shown(app, "secret"));
        Assert.Equal((KnownResourceStates.ValueMissing, null, null), Shown(app, "missing"));
        var asked = missing.Resource.GetValueAsync(Stop).AsTask();
        Assert.False(asked.IsCompleted);
        await app.Services.GetRequiredService<ValueResources>().SetAsync(missing.Resource, "now");
        Assert.Equal("now", await asked);
        Assert.Equal((KnownResourceStates.Running, "now", false), Shown(app, "missing"));
    }

    [Fact]
    public void A_secret_cannot_be_published_as_a_default() =>
        Assert.Contains("'key' is secret", Assert.Throws<ArgumentException>(() => Apps.Running().AddParameter("key", "v", publishValueAsDefault: true, secret: true)).Message, StringComparison.Ordinal);

    [Fact]
    public void A_generated_value_is_as_long_and_as_mixed_as_asked_and_never_the_same()
    {
        var wanted = new GenerateParameterDefault { MinLength = 30, Special = false, MinLower = 3, MinUpper = 4, MinNumeric = 5 };
        var values = Enumerable.Range(0, 200).Select(_ => wanted.GetDefaultValue()).ToArray();
        Assert.All(values, value =>
        {
            Assert.Equal(30, value.Length);
            Assert.All(value, c => Assert.True(char.IsAsciiLetterOrDigit(c)));
            Assert.True(value.Count(char.IsAsciiLetterLower) >= 3 && value.Count(char.IsAsciiLetterUpper) >= 4 && value.Count(char.IsAsciiDigit) >= 5);
        });
        Assert.Distinct(values);
    }

    [Fact]
    public void Impossible_wishes_for_a_generated_value_name_the_field()
    {
        Assert.Contains("MinLength", Assert.Throws<InvalidOperationException>(() => new GenerateParameterDefault { MinLength = 0 }.GetDefaultValue()).Message, StringComparison.Ordinal);
        Assert.Contains("MinUpper", Assert.Throws<InvalidOperationException>(() => new GenerateParameterDefault { Upper = false, MinUpper = 1 }.GetDefaultValue()).Message, StringComparison.Ordinal);
        Assert.Contains("at least one of", Assert.Throws<InvalidOperationException>(() => new GenerateParameterDefault { Lower = false, Upper = false, Numeric = false, Special = false }.GetDefaultValue()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_generated_value_is_kept_where_dotnet_user_secrets_finds_it_readable_by_the_owner_only()
    {
        var id = $"openplatform-tests-{Guid.NewGuid():n}";
        var path = PathHelper.GetSecretsPathFromSecretsId(id);
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            await File.WriteAllTextAsync(path, """{ "Other": { "Key": "kept" } }""", Stop);
            KeptParameterDefault New() => new(new GenerateParameterDefault(), "Parameters:pg-password", new UserSecretsFile(path));
            var values = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => New().GetDefaultValue(), Stop)));

            Assert.Single(values.Distinct()); // whoever comes first makes it, also when several come at once
            Assert.Equal(values[0], New().GetDefaultValue());
            var list = await ListAsync(id);
            Assert.Contains($"Parameters:pg-password = {values[0]}", list, StringComparison.Ordinal);
            Assert.Contains("Other:Key = kept", list, StringComparison.Ordinal);
            if (!OperatingSystem.IsWindows())
            {
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
            }
        }
        finally
        {
            Directory.Delete(Path.GetDirectoryName(path)!, recursive: true);
        }
    }

    [Fact]
    public void User_secrets_that_are_not_valid_are_named_and_left_alone()
    {
        using var project = Apps.Project();
        var path = Path.Join(project.Folder, "secrets.json");
        File.WriteAllText(path, "{ broken");
        var error = Assert.Throws<DistributedApplicationException>(() => new UserSecretsFile(path).GetOrAdd("k", () => "v"));
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
        Assert.Equal("{ broken", File.ReadAllText(path));
    }

    private static async Task<string> ListAsync(string id)
    {
        using var list = Process.Start(new ProcessStartInfo("dotnet", ["user-secrets", "list", "--id", id]) { RedirectStandardOutput = true, UseShellExecute = false })!;
        var text = await list.StandardOutput.ReadToEndAsync(Stop);
        await list.WaitForExitAsync(Stop);
        return text;
    }

    private static async Task ShowAsync(DistributedApplication app)
    {
        var eventing = app.Services.GetRequiredService<IDistributedApplicationEventing>();
        var context = app.Services.GetRequiredService<DistributedApplicationExecutionContext>();
        await app.Services.GetRequiredService<ValueResources>().SubscribeAsync(eventing, context, Stop);
        await eventing.PublishAsync(new BeforeStartEvent(app.Services, app.Services.GetRequiredService<DistributedApplicationModel>()), Stop);
    }

    private static (string?, object?, bool?) Shown(DistributedApplication app, string name)
    {
        Assert.True(app.ResourceNotifications.TryGetCurrentState(name, out var current));
        var value = current.Snapshot.Properties.FirstOrDefault(p => p.Name == "Value");
        return (current.Snapshot.State?.Text, value?.Value, value?.IsSensitive);
    }
}
