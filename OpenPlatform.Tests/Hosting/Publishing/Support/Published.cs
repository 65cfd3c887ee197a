using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using OpenPlatform.Hosting;
using OpenPlatform.Hosting.Publishing;

namespace OpenPlatform.Tests.Hosting.Publishing;

/// <summary>What an environment writes for an application, in memory: path → text.</summary>
internal sealed record Published(IReadOnlyDictionary<string, string> Files, DeploymentModel Model, IReadOnlyList<IResource> Resources)
{
    /// <summary>The AppHost of this repository.</summary>
    public static async Task<Published> AppHostAsync(string environment, params string[] args)
    {
        await using var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.OpenPlatform_AppHost>(["--operation", "publish", .. args], TestContext.Current.CancellationToken);
        return await OfAsync(builder, environment);
    }

    public static async Task<Published> OfAsync(IDistributedApplicationBuilder builder, string environment)
    {
        var model = await new DeploymentModelBuilder(new(builder.Resources), builder.ExecutionContext, builder, new NobodyAnswers()).BuildAsync(TestContext.Current.CancellationToken);
        var target = builder.Resources.OfType<IDeploymentTarget>().Single(t => t.Name == environment);
        return new(target.Files(model).ToDictionary(f => f.Path, f => f.Text), model, [.. builder.Resources]);
    }

    /// <summary>Every object of the plain manifests.</summary>
    public IReadOnlyList<Manifest> Base() =>
        [.. Files.Where(f => f.Key.StartsWith("base/", StringComparison.Ordinal) && !f.Key.EndsWith("kustomization.yaml", StringComparison.Ordinal)).SelectMany(f => Manifest.Read(f.Value))];

    private sealed class NobodyAnswers : IParameterQuestions
    {
        public Task<string?> AskAsync(string name, string? description, CancellationToken cancellationToken) => Task.FromResult<string?>(null);
    }
}
